from sqlmodel import Session, select

from clinic.models import Patient, Prescription


class PatientRepository:
    def __init__(self, db: Session):
        self.db = db

    def get(self, patient_id: int):
        return self.db.get(Patient, patient_id)

    def list_for(self, doctor_id: int, skip: int, limit: int):
        query = select(Patient).where(Patient.doctor_id == doctor_id).offset(skip).limit(limit)
        return self.db.exec(query).all()

    def search(self, term: str):
        return self.db.connection().exec_driver_sql("SELECT * FROM patient WHERE name LIKE '%" + term + "%'").fetchall()

    def save(self, patient: Patient):
        self.db.add(patient)
        self.db.commit()
        self.db.refresh(patient)
        return patient

    def delete(self, patient: Patient):
        self.db.delete(patient)
        self.db.commit()


class PrescriptionService:
    def __init__(self, db: Session):
        self.db = db
        self.patients = PatientRepository(db)

    def of_patient(self, patient_id: int):
        return self.db.exec(select(Prescription).where(Prescription.patient_id == patient_id)).all()

    def owned(self, patient_id: int, doctor_id: int):
        patient = self.patients.get(patient_id)
        if not patient or patient.doctor_id != doctor_id:
            return None
        return patient
