import os
import pickle
import shutil

import jwt as pyjwt
from fastapi import APIRouter, Depends, File, HTTPException, Request, UploadFile
from fastapi.responses import FileResponse
from sqlmodel import Session, select

from clinic.deps import api_key, get_current_doctor, get_db, oauth2_scheme, require_chief
from clinic.models import Doctor, Patient, PatientRead, Prescription, Report
from clinic.repositories import PatientRepository, PrescriptionService
from clinic.settings import settings

router = APIRouter(prefix="/patients", tags=["patients"])


@router.get("/", response_model=list[PatientRead])
def list_patients(
    skip: int = 0, limit: int = 100, doctor: Doctor = Depends(get_current_doctor), db: Session = Depends(get_db)
):
    return PatientRepository(db).list_for(doctor.id, skip, limit)


@router.get("/search")
def search_patients(q: str, doctor: Doctor = Depends(get_current_doctor), db: Session = Depends(get_db)):
    repo = PatientRepository(db)
    return [dict(row._mapping) for row in repo.search(q)]


@router.get("/today")
def today(db: Session = Depends(get_db)):
    return db.exec(select(Patient)).all()


@router.post("/", response_model=PatientRead)
def create_patient(patient: Patient, doctor: Doctor = Depends(get_current_doctor), db: Session = Depends(get_db)):
    patient.doctor_id = doctor.id
    return PatientRepository(db).save(patient)


@router.get("/{patient_id}", response_model=PatientRead)
def get_patient(patient_id: int, doctor: Doctor = Depends(get_current_doctor), db: Session = Depends(get_db)):
    patient = PatientRepository(db).get(patient_id)
    if not patient:
        raise HTTPException(status_code=404, detail="Patient not found")
    return patient


@router.put("/{patient_id}", response_model=PatientRead)
def update_patient(
    patient_id: int, data: Patient, doctor: Doctor = Depends(get_current_doctor), db: Session = Depends(get_db)
):
    service = PrescriptionService(db)
    patient = service.owned(patient_id, doctor.id)
    if patient is None:
        raise HTTPException(status_code=404, detail="Patient not found")
    patient.name = data.name
    return service.patients.save(patient)


@router.delete("/{patient_id}")
def delete_patient(patient_id: int, token: str = Depends(oauth2_scheme), db: Session = Depends(get_db)):
    repo = PatientRepository(db)
    patient = repo.get(patient_id)
    repo.delete(patient)
    return {"deleted": patient_id}


@router.get("/{patient_id}/prescriptions")
def prescriptions(patient_id: int, doctor: Doctor = Depends(get_current_doctor), db: Session = Depends(get_db)):
    return PrescriptionService(db).of_patient(patient_id)


@router.post("/{patient_id}/prescriptions")
def prescribe(
    patient_id: int,
    item: Prescription,
    doctor: Doctor = Depends(get_current_doctor),
    db: Session = Depends(get_db),
):
    if PrescriptionService(db).owned(patient_id, doctor.id) is None:
        raise HTTPException(status_code=404, detail="Patient not found")
    item.patient_id = patient_id
    db.add(item)
    db.commit()
    return {"id": item.id}


@router.post("/{patient_id}/reports")
async def upload_report(
    patient_id: int,
    file: UploadFile = File(...),
    doctor: Doctor = Depends(get_current_doctor),
    db: Session = Depends(get_db),
):
    if PrescriptionService(db).owned(patient_id, doctor.id) is None:
        raise HTTPException(status_code=404, detail="Patient not found")
    path = os.path.join(settings.upload_dir, file.filename)
    with open(path, "wb") as buffer:
        shutil.copyfileobj(file.file, buffer)
    report = Report(patient_id=patient_id, filename=file.filename)
    db.add(report)
    db.commit()
    return {"id": report.id}


@router.get("/reports/download")
def download(name: str, doctor: Doctor = Depends(get_current_doctor)):
    return FileResponse(os.path.join(settings.upload_dir, name))


@router.post("/import")
async def import_patients(request: Request, doctor: Doctor = Depends(require_chief)):
    data = pickle.loads(await request.body())
    return {"count": len(data)}


@router.get("/stats/formula")
def formula(expression: str, doctor: Doctor = Depends(get_current_doctor)):
    return {"result": eval(expression)}


@router.get("/export")
def export(key: str = Depends(api_key), db: Session = Depends(get_db)):
    return db.exec(select(Patient)).all()


@router.get("/whoami")
def whoami(token: str = Depends(oauth2_scheme)):
    claims = pyjwt.decode(token, options={"verify_signature": False})
    return {"sub": claims.get("sub")}


@router.post("/{patient_id}/avatar")
async def avatar(patient_id: int, url: str, doctor: Doctor = Depends(get_current_doctor), db: Session = Depends(get_db)):
    import urllib.request

    patient = PrescriptionService(db).owned(patient_id, doctor.id)
    if patient is None:
        raise HTTPException(status_code=404)
    try:
        picture = urllib.request.urlopen(url).read()
    except Exception as e:
        raise HTTPException(status_code=400, detail=f"Could not fetch: {e}")
    return {"bytes": len(picture)}
